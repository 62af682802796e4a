# Runs nothing, so that no emulation is needed for another platform.
FROM alpine:3.22 AS files
COPY static.Dockerfile /static.Dockerfile

FROM scratch
COPY --from=files /etc/alpine-release /static.Dockerfile /
