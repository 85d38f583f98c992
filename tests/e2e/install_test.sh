#!/usr/bin/env bash
# usage: install_test.sh SOURCE-TREE BUILD-FOLDER      E2E_INSTALL_BUILD in the environment names another build to install
# Installs a build below a scratch prefix and, with nothing but what is there, builds examples/hello.cpp by CMake's find_package and
# by pkg-config, mounts both and reads their file.
. "$(dirname "$0")/lib.sh"
need cmake cmake
need ninja ninja-build
need pkg-config pkg-config
need g++ g++
[[ $# = 2 ]] || { echo "usage: $0 SOURCE-TREE BUILD-FOLDER" >&2; exit 2; }
begin "$@"
read_only=yes
source=$1 build=${E2E_INSTALL_BUILD:-$2} prefix=$tmp/prefix project=$tmp/project
cmake --install "$build" --prefix "$prefix" >"$tmp/log" 2>&1 || fail "cmake --install: $(tail -n 5 "$tmp/log")"
[[ $("$prefix/bin/isthmus" --version) = *[0-9].[0-9]* ]] || fail "the installed isthmus tells no version"
for file in include/isthmus/isthmus.h share/doc/isthmus/LICENSE; do
    [[ -f $prefix/$file ]] || fail "$file is not installed"
done
! grep -rIlF "$source" "$prefix/include" "$prefix/lib/cmake" "$prefix/lib/pkgconfig" || fail "an installed file names the source tree"

mkdir "$project" && cp "$source/examples/hello.cpp" "$project/" || fail "copy"
cat >"$project/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(hello CXX)
find_package(isthmus 0.1 REQUIRED)
add_executable(hello hello.cpp)
target_link_libraries(hello PRIVATE isthmus::isthmus)
CMAKE
cmake -S "$project" -B "$project/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$tmp/log" 2>&1 &&
    cmake --build "$project/build" >"$tmp/log" 2>&1 || fail "building by find_package: $(tail -n 30 "$tmp/log")"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
flags=$(pkg-config --cflags --libs isthmus) || fail "pkg-config"
# shellcheck disable=SC2086  # a list of flags
g++ -o "$project/hello_pc" "$project/hello.cpp" $flags >"$tmp/log" 2>&1 || fail "building by pkg-config: $(tail -n 30 "$tmp/log")"

for program in "$project/build/hello" "$project/hello_pc"; do
    command_line=("$program" @MNT@ -f)
    start_mount
    [[ $(ls "$mnt") = hello ]] || fail "$program: ls shows: $(ls "$mnt")"
    [[ $(cat "$mnt/hello") = "Hello, world!" ]] || fail "$program: cat shows: $(cat "$mnt/hello")"
    stop_mount
done
passed "installed, built by find_package and by pkg-config, mounted"
