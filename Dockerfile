# syntax=docker/dockerfile:1

# libatomic1: node itself needs it, which not every node image of Debian has. The rest is for the image's own root.
FROM node:26-slim AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends libatomic1 binutils busybox-static curl

# Builds dist/, and keeps the production dependencies apart: compilers and tests stay out of the image.
FROM base AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY commonjs ./commonjs
COPY src ./src
COPY docker/trim-modules.sh ./docker/
RUN npm run -s build \
 && node scripts/sbom.mjs --installed > sbom.cdx.json \
 && npm prune --omit=dev --ignore-scripts \
 && docker/trim-modules.sh node_modules

# Of Debian only what is run. The image is made from nothing, so that what is left out takes no room in a lower layer.
FROM base AS root
COPY docker/root-file-system.sh /
RUN /root-file-system.sh /rootfs

FROM scratch
COPY --from=root /rootfs /
COPY docker/java docker/dynaring docker/healthy /usr/local/bin/
COPY docker/DynamoDBLocal.jar /home/dynamodblocal/
WORKDIR /opt/dynaring
COPY --from=build /build/node_modules ./node_modules
COPY package.json LICENSE ./
COPY api-schema ./api-schema
COPY --from=build /build/sbom.cdx.json ./
COPY --from=build /build/dist ./dist
ENV PATH=/usr/local/bin:/usr/bin \
    NODE_ENV=production \
    DYNARING_HOST=all
# Data is kept only if asked for: docker run -v dynaring:/data dynaring --data-dir /data
VOLUME /data
WORKDIR /home/dynamodblocal
# A number, so that Kubernetes can tell that it is not root.
USER 1000:1000
EXPOSE 8000
# No start period: during one, Docker asks every five seconds, or every --start-interval, which other builders do not know.
# A check is a shell and curl, some milliseconds.
HEALTHCHECK --interval=1s --timeout=3s --retries=10 CMD ["healthy"]
ENTRYPOINT ["node", "/opt/dynaring/dist/cli.js"]

ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Dynaring" \
      org.opencontainers.image.description="A DynamoDB-compatible server whose inside is a real Dynamo" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="scratch" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
