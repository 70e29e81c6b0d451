# Sourced by ./quickstart and ./check: what the build and the tests need from Debian 12, and how it
# gets there. Does nothing, and asks for nothing, when all of it is installed.

build_packages=(
    g++ cmake ninja-build pkg-config
    libcli11-dev libzmq3-dev cppzmq-dev libmsgpack-cxx-dev libdb5.3++-dev
    libjemalloc-dev libxxhash-dev libmd-dev nlohmann-json3-dev libtomlplusplus-dev libfmt-dev
)
quickstart_packages=(jq)
test_packages=(
    libgtest-dev libgmock-dev librapidcheck-dev libfaketime
    clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev
    python3 python3-zmq python3-msgpack mandoc bash-completion zsh fish jq procps
)
# Debian's Node leaves npm to a package of its own; where another Node brings npm along, the two
# exclude each other.
command -v node >/dev/null || test_packages+=(nodejs)
command -v npm >/dev/null || test_packages+=(npm)

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root to run: $* (log in as root, or install sudo)"
    fi
}

# need_packages NAME...: installs those that are missing.
need_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed ||
            missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null || die "this is no Debian; install by hand: ${missing[*]}"
    say "Installing ${#missing[@]} packages: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null
}
