/** Small projects of several kinds; together they have what a Dockerfile may take its content from. */
import { file, type Variant } from './sound-project.ts'

export interface SoundExample {
  readonly name: string
  readonly target: string
  /** A fresh project; `nonce` keeps it apart from those of other runs. */
  readonly variant: (nonce: string) => Variant
}

const common = (nonce: string): Variant['files'] => ({
  'src/main.c': file(`main ${nonce}\n`),
  'src/util.c': file('util\n'),
  'src/deep/inner.c': file('inner\n', 0o600),
  'src/tool.sh': file('#!/bin/sh\ncat /src/*.c\n', 0o755),
  'conf/app.conf': file('port=1\n'),
  'conf/extra.conf': file('x=1\n'),
  'docs/read.md': file('# docs\n'),
  'docs/more.md': file('# more\n'),
  'notes.txt': file('nobody reads this\n'),
  'tmp/scratch.log': file('log\n'),
  'src/empty': { type: 'directory', mode: 0o755 },
  'src/alias.c': { type: 'link', target: 'util.c' },
  'conf.link': { type: 'link', target: 'conf/app.conf' },
  '.dockerignore': file('# ignored\ntmp\n**/*.log\n.git\n'),
})

const inputs = (more: Record<string, readonly string[]> = {}): Variant['inputs'] => ({
  provenance: ['mode=min'],
  'build-args': ['VERSION=1', 'OTHER=1'],
  labels: ['org.example.a=1', 'org.opencontainers.image.revision=abc'],
  'volatile-labels': ['org.opencontainers.image.revision'],
  ...more,
})

export const EXAMPLES: readonly SoundExample[] = [
  {
    name: 'service',
    target: 'app',
    variant: (nonce) => ({
      base: 0,
      files: common(nonce),
      inputs: inputs(),
      dockerfile: `ARG BASE=base:1
ARG UNUSED=1
FROM \${BASE} AS deps
WORKDIR /src
COPY conf/app.conf conf/extra.conf ./conf/
RUN cat conf/*.conf > /deps

FROM deps AS build
ARG VERSION=0
ENV MODE=fast \\
    LEVEL=2
COPY src .
# the build
RUN --mount=type=cache,target=/cache,id=c \\
    cat *.c > /out && \\
    echo "$VERSION $MODE" >> /out

FROM base:1 AS docs
COPY docs/*.md /docs/
RUN cat /docs/*.md > /all.md

FROM base:1 AS spare
RUN echo spare > /spare

FROM base:1 AS app
ARG OTHER
LABEL org.example.other=$OTHER
COPY --from=build /out /app/out
COPY --from=docs /all.md /app/
ENV APP=1
EXPOSE 80
USER 1000
CMD ["cat", "/app/out"]
`,
    }),
  },
  {
    name: 'mounts',
    target: 'final',
    variant: (nonce) => ({
      base: 0,
      files: common(nonce),
      inputs: inputs({ secrets: ['token=secret-1'] }),
      dockerfile: `FROM base:1 AS tools
RUN echo tool > /tool && echo ${nonce} > /nonce

FROM scratch AS assets
COPY docs /docs

FROM base:1 AS final
ARG VERSION
WORKDIR /work
RUN --mount=type=bind,source=src,target=/src cat /src/*.c > out
RUN --mount=from=tools,target=/t,source=/tool --mount=type=tmpfs,target=/scratch cat /t > tool
RUN --mount=type=secret,id=token --mount=type=bind,from=assets,target=/assets cat /assets/docs/read.md > doc
COPY --from=tools --chmod=600 /nonce nonce
SHELL ["/bin/sh", "-e", "-c"]
RUN --mount=type=bind,source=conf,target=/all,rw cat /all/app.conf > conf
VOLUME /data
HEALTHCHECK --interval=30s CMD true
`,
    }),
  },
  {
    name: 'heredocs',
    target: 'final',
    variant: (nonce) => ({
      base: 0,
      files: common(nonce),
      inputs: inputs({ annotations: ['index:org.example.note=1', 'manifest:org.example.kind=2'] }),
      dockerfile: `# check=skip=all
FROM base:1 AS parent
ONBUILD ARG VERSION=0
ONBUILD COPY conf /conf
ONBUILD RUN echo "$VERSION" > /trigger
ENV PARENT=1

FROM parent AS child
COPY <<one <<"two" /texts/
version $VERSION
one
plain $VERSION
two
RUN <<script
cat /texts/* > /all
echo ${nonce} >> /all
script
ENTRYPOINT ["/bin/sh"]

FROM scratch AS final
COPY --from=child /all /trigger /
COPY --exclude=*.md --exclude=sub docs /docs
COPY --exclude=deep src/ /src/
ADD conf/app.conf conf.link /conf/
COPY src/*.c docs/r*.md /flat/
LABEL org.example.b="two words"
STOPSIGNAL SIGTERM
`,
    }),
  },
  {
    name: 'contexts',
    target: 'final',
    variant: (nonce) => ({
      base: 0,
      files: {
        ...common(nonce),
        '.dockerignore': file('# ignored\ntmp\n**/*.log\n.git\nDockerfile*\nnotes.txt\nother\nlibrary\n'),
        'other/data/a.txt': file(`a ${nonce}\n`),
        'other/data/b.txt': file('b\n'),
        'other/unread.txt': file('unread\n'),
        'other/skip.log': file('skip\n'),
        // Of no consequence: it is no Dockerfile's there.
        'other/Dockerfile.dockerignore': file('data/a.txt\n'),
        'other/.dockerignore': file('*.log\n'),
        'library/lib.txt': file('lib\n'),
      },
      inputs: inputs({ 'build-contexts': ['data=other', 'library=library'] }),
      dockerfile: `FROM base:1 AS library
RUN echo library > /lib.txt

FROM base:2 AS build
COPY --from=data data /data
RUN --mount=from=data,source=data,target=/d cat /d/a.txt > /a
COPY --from=library /lib.txt /lib.txt
COPY --link conf /conf
USER 1000:1000
WORKDIR work
RUN cat /data/* > /tmp/all && cp /tmp/all .

FROM scratch AS final
COPY --from=build /work /work
COPY --from=base:1 /etc/passwd /etc/
COPY --from=data data/b.txt /b
COPY . /everything
USER nobody
CMD cat /b
`,
    }),
  },
]
