# shellcheck shell=bash
# Pieces shared by script/engine and script/images. To be sourced, not run.

SB_HOME="${STAGE_BUILD_HOME:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/stage-build}"
[[ "$SB_HOME" == /* ]] || SB_HOME="$PWD/$SB_HOME"

log() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
  log "$*"
  exit 1
}

# os_release FIELD: one field of /etc/os-release, empty where there is none.
os_release() {
  [[ -r /etc/os-release ]] || return 0
  # shellcheck disable=SC1091
  (unset "$1"; . /etc/os-release && printf '%s' "${!1:-}")
}

# lock FILE: exclusive until this process ends. Daemons must be started with 9>&-.
lock() {
  mkdir -p "${1%/*}"
  exec 9>"$1"
  if ! flock -n 9; then
    log "waiting for another run to finish its work on ${1%/*}"
    flock -w 900 9 || die "gave up waiting for the lock $1 after 15 minutes"
  fi
}

# quietly LOG COMMAND…: its output goes to LOG, and to the terminal only if it fails.
quietly() {
  local out="$1"
  shift
  if ! "$@" </dev/null >>"$out" 2>&1; then
    tail -n 30 "$out" >&2
    log "failed: $* (log: $out)"
    return 1
  fi
}

# runs PIDFILE EXE: whether the process of PIDFILE is alive and runs EXE. A pid file may be
# older than the last restart of the machine, so the number alone says nothing.
runs() {
  local pid
  [[ -s "$1" ]] || return 1
  read -r pid <"$1" || [[ -n "$pid" ]] || return 1
  [[ "$pid" =~ ^[0-9]+$ && "$(readlink "/proc/$pid/exe" 2>/dev/null)" == "$2" ]]
}

# end_process PIDFILE EXE SECONDS: ask it to end, insist after SECONDS.
end_process() {
  local pid i
  if runs "$1" "$2"; then
    read -r pid <"$1" || true
    kill -TERM "$pid" 2>/dev/null || true
    for ((i = 0; i < $3 * 10; i++)); do
      runs "$1" "$2" || break
      sleep 0.1
    done
    if runs "$1" "$2"; then kill -KILL "$pid" 2>/dev/null || true; fi
  fi
  rm -f "$1"
}

# host_packages PACKAGE…: installs what is missing from the distribution itself.
host_packages() {
  local missing=() p
  for p in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
  done
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || die "these packages are missing: ${missing[*]}. Install them with apt-get, or run this as root."
  log "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local install=(apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}")
  "${install[@]}" </dev/null >/dev/null 2>&1 && return 0
  host_update
  quietly "$SB_HOME/apt.log" "${install[@]}" || die "could not install ${missing[*]} with apt-get"
}

host_update() {
  mkdir -p "$SB_HOME"
  quietly "$SB_HOME/apt.log" apt-get -o DPkg::Lock::Timeout=300 update ||
    die "apt-get update failed; is the package mirror reachable?"
}

# apt_mirror: the address of the distribution's own mirror, as apt is configured on this machine.
apt_mirror() {
  local origin codename find
  origin="$(os_release ID)"
  codename="$(os_release VERSION_CODENAME)"
  find=(apt-get indextargets --format "\$(SITE)" "Origin: ${origin^}" "Codename: $codename")
  local site
  site="$("${find[@]}" 2>/dev/null | head -n 1)"
  if [[ -z "$site" ]]; then
    host_update
    site="$("${find[@]}" 2>/dev/null | head -n 1)"
  fi
  [[ -n "$site" ]] || die "apt knows no mirror for $origin $codename (apt-get indextargets lists none)"
  printf '%s' "$site"
}

# own_apt DIR SUITE ARCH: sets OWN_APT to options that give apt-get lists, caches and sources of
# its own, in DIR, so that the machine's stay as they are. Debian only; fetches the lists.
own_apt() {
  local dir="$1" suite="$2" arch="$3" mirror key=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror="$(apt_mirror)"
  mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
  echo "deb [signed-by=$key] $mirror $suite main" >"$dir/sources.list"
  OWN_APT=(-o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
    -o "Dir::State=$dir/state" -o Dir::State::status=/dev/null -o "Dir::Cache=$dir/cache"
    -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" -o Acquire::Languages=none
    -o APT::Sandbox::User=root -o Acquire::Retries=3)
  quietly "$dir/apt.log" apt-get "${OWN_APT[@]}" update ||
    die "could not read the package lists of $suite from the mirror that apt uses here"
}

# unpack_debs DIR ROOT PACKAGE…: downloads into DIR with OWN_APT and unpacks into ROOT.
unpack_debs() {
  local dir="$1" root="$2" deb
  shift 2
  rm -rf "$dir/debs"
  mkdir -p "$dir/debs" "$root"
  (cd "$dir/debs" && quietly "$dir/apt.log" apt-get "${OWN_APT[@]}" download "$@") ||
    die "could not download $* from the mirror that apt uses here"
  for deb in "$dir"/debs/*.deb; do
    dpkg-deb -x "$deb" "$root" || die "could not unpack ${deb##*/}"
  done
  rm -rf "$dir/debs"
}

# machine_certificates ROOT: the certificates that this machine trusts, also for a later
# update-ca-certificates in the image.
machine_certificates() {
  local bundle=/etc/ssl/certs/ca-certificates.crt
  mkdir -p "$1/etc/ssl/certs" "$1/usr/local/share/ca-certificates"
  if [[ -r "$bundle" ]]; then install -m 644 "$bundle" "$1$bundle"; fi
  find /usr/local/share/ca-certificates -name '*.crt' -exec install -m 644 {} "$1/usr/local/share/ca-certificates/" \; 2>/dev/null || true
}

# stable_tar ROOT FILE: the same bytes for the same files.
stable_tar() {
  tar --sort=name --mtime="@$IMAGE_EPOCH" --numeric-owner --format=gnu -cf "$2" -C "$1" .
}
