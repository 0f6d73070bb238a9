FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY api api
COPY cmd cmd
COPY controllers controllers
COPY internal internal
ARG VERSION
ARG COMMIT
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X fonster.dev/fonster/internal/version.stampedVersion=$VERSION -X fonster.dev/fonster/internal/version.stampedCommit=$COMMIT" -o /out/ ./cmd/fonster ./cmd/fonster-page

FROM gcr.io/distroless/static:nonroot
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["/fonster"]
