# What services run on; other Dockerfiles take it as the bake target `runtime`.
FROM alpine:3.22 AS runtime
COPY lib/log.sh /usr/local/lib/log.sh
RUN sh -n /usr/local/lib/log.sh && mkdir -p /srv
WORKDIR /srv

FROM runtime AS service
ARG SERVICE
COPY services/${SERVICE}/ ./
RUN sh -n run.sh && chmod +x run.sh
CMD ["./run.sh"]
