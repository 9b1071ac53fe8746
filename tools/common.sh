# tools/common.sh: what ./quickstart and ./check share: progress lines, package installation, building. Sourced by bash.

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The way to become root: nothing as root, else sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "installing packages needs root; run this as root or install sudo"
    fi
}

# need_packages NAME...: installs what is missing, and only that.
need_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        say "all $# packages are there"
        return
    fi
    say "installing ${#missing[@]} of $# packages: ${missing[*]}"
    as_root apt-get update -qq || say "warning: the package lists could not be refreshed; trying with the ones at hand"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o Dpkg::Progress-Fancy=0 "${missing[@]}" | grep -E '^(Setting up|E:)' || true
    for name in "${missing[@]}"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' ||
            fail "package $name could not be installed; try: apt-get install $name"
    done
}

BUILD_PACKAGES=(gcc libc6-dev pkg-config meson ninja-build libevent-dev libssl-dev libunbound-dev libcurl4-openssl-dev libgsasl-dev
    libcrypt-dev libidn-dev libidn2-dev libunistring-dev libconfuse-dev libjansson-dev libxxhash-dev libseccomp-dev uthash-dev
    ca-certificates dns-root-data)

# build FOLDER [meson options...]: configures once, builds, and shows what ninja does.
build() {
    local folder=$1
    shift
    if [ ! -f "$folder/build.ninja" ]; then
        meson setup "$folder" "$@" >"$folder.setup.log" 2>&1 || {
            cat "$folder.setup.log" >&2
            fail "configuring $folder failed"
        }
        rm -f "$folder.setup.log"
    elif [ $# -gt 0 ]; then
        meson configure "$folder" "$@" >/dev/null || fail "configuring $folder failed; remove it and try again"
    fi
    ninja -C "$folder" || fail "building $folder failed"
}
