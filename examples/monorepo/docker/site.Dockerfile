# The first stage is tool.Dockerfile's, too: it runs once for both.
FROM alpine:3.22 AS templates
COPY lib/render.sh lib/page.html /render/
RUN sh -n /render/render.sh && chmod +x /render/render.sh

FROM templates AS pages
ARG SERVICE
COPY services/${SERVICE}/ /content/
RUN /render/render.sh /content /pages

FROM runtime
COPY --from=pages /pages/ /srv/
CMD ["httpd", "-f", "-p", "8080", "-h", "/srv"]
