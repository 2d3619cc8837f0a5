# One image for api, worker and command line.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package that the build or the apps use needs its install script: `node` would only fetch a second Node.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY infra/image/tsconfig.json infra/image/
COPY libs libs
COPY apps apps
RUN node_modules/.bin/tsc -p infra/image/tsconfig.json && npm run --silent compile:kernel

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# What describes code to people and compilers is a third of it; npm keeps the compiler too, as somebody's optional peer.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -rf node_modules/typescript node_modules/.bin \
 && find node_modules -type f \( -name "*.map" -o -name "*.ts" -o -name "*.md" \) -delete

FROM node:24-bookworm-slim
# As libs/platform/hardening.ts says: what is freed is overwritten.
ENV NODE_ENV=production GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0
# A group of its own reads the secrets' files: 1000, that of the base image's user, may be somebody on the host.
RUN groupadd --gid 10001 velum \
 && useradd --uid 10001 --gid velum --no-create-home --home-dir /nonexistent velum \
 && install -d -o velum -g velum -m 0700 /var/lib/velum/spool
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json infra/image/healthy.mjs ./
USER 10001:10001
EXPOSE 3000
# As libs/platform/hardening.ts says.
ENTRYPOINT ["node", "--disable-proto=delete", "--disable-sigusr1"]
CMD ["dist/apps/api/main.js"]
