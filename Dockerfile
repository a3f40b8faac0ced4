# One domain's broker. Configuration and data are mounted: /etc/turnpike/domain.yaml and /var/lib/turnpike.
FROM node:24-bookworm-slim AS build
# sqlite3 is compiled where no ready-made binary fits.
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 make g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-fund --no-audit
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
# Calendars in large pages, where the kernel has them on request.
ENV NODE_ENV=production GLIBC_TUNABLES=glibc.malloc.hugetlb=1
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY bin ./bin
COPY openapi ./openapi
COPY examples ./examples
# The image's own unprivileged user; the program can write to its data and to nothing else.
RUN install -d -o node -g node -m 0750 /var/lib/turnpike
USER node
VOLUME /var/lib/turnpike
EXPOSE 8080
# Alive is enough here: an instance that stands by is healthy, and /readyz is for load balancers.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# node is the first process and handles SIGTERM itself.
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve", "--config", "/etc/turnpike/domain.yaml", "--host", "0.0.0.0"]
