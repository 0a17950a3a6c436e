#!/bin/sh
# Installs from Debian's packages what the benchmarks compare with, where it is missing. Starts no service.
set -eu

command -v apt-get >/dev/null || { echo "bench: no apt-get here; what is not installed is left out of the tables" >&2; exit 0; }

missing=''
for package in wrk redis-server redis-tools webdis nginx libnginx-mod-http-lua varnish gcc \
  python3-flask gunicorn python3-cachetools python3-redis; do
  dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=$([ "$(id -u)" = 0 ] || echo sudo)
policy=/usr/sbin/policy-rc.d
# Debian starts a service when it is installed, unless this file says no. One that is there already is not ours to touch.
if [ ! -e "$policy" ]; then
  trap '$as_root rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi
echo "bench: installing$missing"
$as_root apt-get update -qq
for package in $missing; do
  # One by one: what cannot be had must not keep the others away.
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$package" >/dev/null ||
    echo "bench: $package cannot be installed; what needs it is reported so" >&2
done
