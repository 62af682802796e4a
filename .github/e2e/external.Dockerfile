# None of these images exist: external-images says what stands for them.
FROM registry.invalid/base:1 AS base
COPY --from=registry.invalid/web:1 /etc/nginx/nginx.conf /nginx.conf
RUN --mount=from=registry.invalid/tools:1,target=/tools test -e /tools/bin/busybox

FROM base AS nginx
RUN test -s /nginx.conf
