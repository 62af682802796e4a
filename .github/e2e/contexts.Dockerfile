FROM scratch
COPY --from=assets hello.txt /hello.txt
COPY --from=config config.json /config.json
