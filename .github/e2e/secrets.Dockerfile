FROM alpine:3.22
RUN --mount=type=secret,id=value test "$(cat /run/secrets/value)" = 'a value, with a comma'
RUN --mount=type=secret,id=env test "$(cat /run/secrets/env)" = 'from the environment'
RUN --mount=type=secret,id=file test "$(cat /run/secrets/file)" = 'from a file'
