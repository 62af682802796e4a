FROM alpine:3.22 AS good
RUN echo fine

FROM good AS bad
RUN echo 'this goes wrong' && exit 3
