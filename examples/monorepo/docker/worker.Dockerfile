# `runtime` is a target of docker-bake.hcl.
FROM runtime
ARG SERVICE
COPY lib/retry.sh /usr/local/lib/retry.sh
COPY services/${SERVICE}/ ./
RUN sh -n run.sh && chmod +x run.sh
CMD ["/usr/local/lib/retry.sh", "./run.sh"]
