# syntax=docker/dockerfile:1

# Builds dist/, and keeps the production dependencies apart: compilers and tests stay out of the image.
FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY api-schema ./api-schema
RUN npm run -s build && npm prune --omit=dev --ignore-scripts

FROM node:24-slim
LABEL org.opencontainers.image.title="Dynaring" \
      org.opencontainers.image.description="A DynamoDB-compatible server whose inside is a real Dynamo" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production \
    DYNARING_HOST=all
WORKDIR /opt/dynaring
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/api-schema ./api-schema
COPY --from=build /build/dist ./dist
# Data is kept only if asked for: docker run -v dynaring:/data dynaring --data-dir /data
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 8000
# Of the port it knows the variable, not a --port flag.
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.DYNARING_PORT || 8000}/health`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/opt/dynaring/dist/cli.js"]
