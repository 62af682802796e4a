FROM alpine:3.22 AS templates
COPY lib/render.sh lib/page.html /render/
RUN sh -n /render/render.sh && chmod +x /render/render.sh

FROM templates
ARG SERVICE
COPY services/${SERVICE}/ /tool/
RUN sh -n /tool/run.sh && chmod +x /tool/run.sh
CMD ["/tool/run.sh"]
