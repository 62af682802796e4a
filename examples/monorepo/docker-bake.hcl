# Twelve services in four Dockerfiles. Paths are from where bake is run: the root of the checkout.
variable "ROOT" {
  default = "examples/monorepo"
}
variable "REGISTRY" {
  default = "localhost:5000"
}
variable "TAG" {
  default = "latest"
}

group "default" {
  targets = ["service", "worker", "site", "tool"]
}

# What most of them run on. Nobody asks for it: it is built where something uses it.
target "runtime" {
  context    = ROOT
  dockerfile = "docker/service.Dockerfile"
  target     = "runtime"
}

target "service" {
  name       = item
  matrix     = { item = ["api", "auth", "billing"] }
  context    = ROOT
  dockerfile = "docker/service.Dockerfile"
  args       = { SERVICE = item }
  tags       = ["${REGISTRY}/monorepo/${item}:${TAG}"]
}

target "worker" {
  name       = item
  matrix     = { item = ["mailer", "reports", "cleanup"] }
  context    = ROOT
  contexts   = { runtime = "target:runtime" }
  dockerfile = "docker/worker.Dockerfile"
  args       = { SERVICE = item }
  tags       = ["${REGISTRY}/monorepo/${item}:${TAG}"]
}

target "site" {
  name       = item
  matrix     = { item = ["www", "docs", "admin"] }
  context    = ROOT
  contexts   = { runtime = "target:runtime" }
  dockerfile = "docker/site.Dockerfile"
  args       = { SERVICE = item }
  tags       = ["${REGISTRY}/monorepo/${item}:${TAG}"]
}

target "tool" {
  name       = item
  matrix     = { item = ["backup", "migrate", "status"] }
  context    = ROOT
  dockerfile = "docker/tool.Dockerfile"
  args       = { SERVICE = item }
  tags       = ["${REGISTRY}/monorepo/${item}:${TAG}"]
}
