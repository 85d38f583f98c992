#!/usr/bin/env bash
# usage: install_test.sh SOURCE-TREE BUILD-FOLDER      E2E_INSTALL_BUILD in the environment names another build to install
# Installs a build below a scratch prefix and, with nothing but what is there, builds examples/hello.cpp by CMake's find_package and
# by pkg-config, mounts both and reads their file. Then the examples of libfuse 2 and 3, by fuse.pc, fuse3.pc and our headers, run by `isthmus run`.
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

mkdir "$project" && cp "$source/examples/hello.cpp" "$source/examples/counter.cpp" "$project/" || fail "copy"
cat >"$project/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(hello CXX)
find_package(isthmus 0.1 REQUIRED)
add_executable(hello hello.cpp)
target_link_libraries(hello PRIVATE isthmus::isthmus)
add_executable(counter counter.cpp)
target_link_libraries(counter PRIVATE isthmus::isthmus)
CMAKE
cmake -S "$project" -B "$project/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$tmp/log" 2>&1 &&
    cmake --build "$project/build" >"$tmp/log" 2>&1 || fail "building by find_package: $(tail -n 30 "$tmp/log")"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
flags=$(pkg-config --cflags --libs isthmus) || fail "pkg-config"
# shellcheck disable=SC2086  # a list of flags
g++ -o "$project/hello_pc" "$project/hello.cpp" $flags >"$tmp/log" 2>&1 || fail "building by pkg-config: $(tail -n 30 "$tmp/log")"
# shellcheck disable=SC2086  # a list of flags
g++ -o "$project/counter_pc" "$project/counter.cpp" $flags >"$tmp/log" 2>&1 || fail "building by pkg-config: $(tail -n 30 "$tmp/log")"

for program in "$project/build/hello" "$project/hello_pc"; do
    command_line=("$program" @MNT@ -f)
    start_mount
    [[ $(ls "$mnt") = hello ]] || fail "$program: ls shows: $(ls "$mnt")"
    [[ $(cat "$mnt/hello") = "Hello, world!" ]] || fail "$program: cat shows: $(cat "$mnt/hello")"
    stop_mount
done
# Programs that answer packets.
if command -v python3 >/dev/null; then
    command_line=("$prefix/bin/isthmus" mount -f "userfs:$prefix/share/doc/isthmus/examples/hello_userfs.py" @MNT@)
    start_mount
    [[ $(cat "$mnt/hello") = "Hello, world!" ]] || fail "hello_userfs.py: cat shows: $(cat "$mnt/hello")"
    stop_mount
fi
for program in "$project/build/counter" "$project/counter_pc"; do
    command_line=("$prefix/bin/isthmus" mount -f "userfs:$program" @MNT@)
    start_mount
    [[ $(cat "$mnt/count") = 1 && $(cat "$mnt/count") = 2 ]] || fail "$program: cat shows: $(cat "$mnt/count")"
    stop_mount
done
# The interfaces of libfuse 2 and 3: what is built where there is no other, and what it says of itself.
export PKG_CONFIG_PATH=$prefix/lib/isthmus/pkgconfig
# interface NAME PACKAGE LIBRARY LEAST-VERSION HEADER:VERSION...
interface() {
    local name=$1 package=$2 library=$3 least=$4 cflags libs pair header version examples=/usr/share/doc/$2/examples program
    shift 4
    [[ $(pkg-config --variable=libdir "$name") -ef $prefix/lib/isthmus ]] || fail "$name.pc is not ours: $(pkg-config --variable=libdir "$name")"
    pkg-config --atleast-version="$least" "$name" || fail "$name.pc says version $(pkg-config --modversion "$name")"
    cflags=$(pkg-config --cflags "$name") libs=$(pkg-config --libs "$name")
    for pair; do
        header=${pair%:*} version=${pair#*:}
        # shellcheck disable=SC2086  # a list of flags
        echo "#include <$header>" | gcc -M -x c $cflags -D_FILE_OFFSET_BITS=64 "-DFUSE_USE_VERSION=$version" - >"$tmp/log" 2>&1 ||
            fail "$header, version $version: $(tail -n 5 "$tmp/log")"
        ! grep -o '/usr/include/fuse[^ ]*' "$tmp/log" || fail "$header is the system's"
    done
    [[ -r $examples/hello.c ]] || { echo "SKIP: examples of lib$name by $name.pc: package $package is not installed"; return; }
    for program in hello hello_ll; do
        # shellcheck disable=SC2086  # a list of flags
        gcc -w -D_FILE_OFFSET_BITS=64 $cflags -o "$project/$program" "$examples/$program.c" $libs >"$tmp/log" 2>&1 ||
            fail "building $program by $name.pc: $(tail -n 30 "$tmp/log")"
        "$prefix/bin/isthmus" run --check "$project/$program" >"$tmp/log" || fail "run --check $program: $(cat "$tmp/log")"
        grep -qF "$prefix/lib/isthmus/$library, which is ours" "$tmp/log" || fail "run --check finds: $(cat "$tmp/log")"
        command_line=("$prefix/bin/isthmus" run -- "$project/$program" -f @MNT@)
        start_mount
        [[ $(cat "$mnt/hello") = "Hello World!" ]] || fail "$program: cat shows: $(cat "$mnt/hello")"
        grep -q "$prefix/lib/isthmus/$library" "/proc/$server/maps" || fail "$program runs on another library"
        stop_mount
    done
}
interface fuse3 libfuse3-dev libfuse3.so.3 3.14 {fuse.h,fuse_lowlevel.h,fuse3/fuse.h}:{30,31,32,34,35,36,312,314}
interface fuse libfuse-dev libfuse.so.2 2.9.2 fuse.h:{11,21,22} fuse_lowlevel.h:24 {fuse.h,fuse_lowlevel.h,fuse/fuse.h}:{25,26,27,28,29}
# Programs that look for it by themselves, as autoconf's AC_CHECK_LIB and CMake's find_path and find_library do.
echo 'char fuse_main(); int main() { return fuse_main(); }' >"$project/check.c"
# shellcheck disable=SC2046  # lists of flags
gcc $(pkg-config --cflags fuse) "$project/check.c" -o "$project/check" $(pkg-config --libs-only-L fuse) -lfuse || fail "AC_CHECK_LIB(fuse, fuse_main)"
mkdir "$project/find"
cat >"$project/find/CMakeLists.txt" <<'TEXT'
cmake_minimum_required(VERSION 3.13)
project(find C)
find_path(INCLUDE fuse.h PATH_SUFFIXES osxfuse fuse)
find_library(LIBRARY fuse)
message(STATUS "found ${INCLUDE} ${LIBRARY}")
TEXT
cmake -S "$project/find" -B "$project/find/build" "-DCMAKE_INCLUDE_PATH=$prefix/include/isthmus" "-DCMAKE_LIBRARY_PATH=$prefix/lib/isthmus" >"$tmp/log" 2>&1 &&
    grep -qF "found $prefix/include/isthmus/fuse $prefix/lib/isthmus/libfuse.so" "$tmp/log" || fail "cmake finds: $(cat "$tmp/log")"
# libfuse3.so.4, by the fuse3.pc of its folder.
export PKG_CONFIG_PATH=$prefix/lib/isthmus/so4/pkgconfig
pkg-config --atleast-version=3.18 fuse3 || fail "so4's fuse3.pc says version $(pkg-config --modversion fuse3)"
cflags=$(pkg-config --cflags fuse3) libs=$(pkg-config --libs fuse3)
# shellcheck disable=SC2086  # lists of flags
gcc -w -D_FILE_OFFSET_BITS=64 $cflags -o "$project/so4" "$top/tests/e2e/libfuse3_so4.c" $libs >"$tmp/log" 2>&1 ||
    fail "building by so4's fuse3.pc: $(tail -n 30 "$tmp/log")"
"$prefix/bin/isthmus" run --check "$project/so4" >"$tmp/log" || fail "run --check: $(cat "$tmp/log")"
grep -qF "$prefix/lib/isthmus/libfuse3.so.4, which is ours" "$tmp/log" || fail "run --check finds: $(cat "$tmp/log")"
command_line=("$prefix/bin/isthmus" run -- "$project/so4" high -f @MNT@)
read_only=1
start_mount
[[ $(stat -c %W "$mnt/file") = 987654321 ]] || fail "libfuse3.so.4: $(stat "$mnt/file")"
grep -q "$prefix/lib/isthmus/libfuse3.so.4" "/proc/$server/maps" || fail "so4 runs on another library"
stop_mount
passed "installed, built by find_package and by pkg-config, mounted; libfuse 2 and 3 by their .pc files"
