# The suite through the kernel FUSE door: what differs between the runs is one line each.
#   conformance_variant(NAME PROVIDER WORD...)
# PROVIDER is mem or pass; {src} stands for a fresh tmpfs. Words:
#   OPTIONS a,b    more mount options                 SOURCE x       instead of the provider's own, `fault+` for instance
#   ALONE          without allow_other and default_permissions: only the one who mounts may enter
#   URING          skipped by name where the kernel carries no FUSE over io_uring
#   USER           an ordinary user mounts and serves, through fusermount3; the suite runs as root
#   TRAITS a,b     on top of the provider's           FILTER x       of the suite's tests, in gtest's words
#   SUITES a;b     folder (all families), model (20,000 random operations, native tmpfs beside), full (a file system of 2 MiB),
#                  crowd (16 threads: the Concurrency family, and the model in 16 folders at once); default: folder
#   ARGUMENTS a;b  more for the model                 ONCE           not again under the sanitizers (label `once`)
# A name is skipped with a reason where the machine has no such mount (not root, no /dev/fuse).
#
# What the providers and the kernel door do not have, the holes of the matrix:
#   both   collapse_range: FUSE's kernel half refuses FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE
#   pass   zero_range: the tmpfs below does not have it
set(traits_mem -collapse_range)
set(traits_pass -collapse_range,-zero_range)
set(source_mem mem:)
set(source_pass {src})
set(small_mem mem:?size=2m&inodes=64)
set(small_pass {small})

function(conformance_variant name provider)
  cmake_parse_arguments(V "ALONE;URING;USER;ONCE" "OPTIONS;SOURCE;TRAITS;FILTER" "SUITES;ARGUMENTS" ${ARGN})
  if(V_UNPARSED_ARGUMENTS OR V_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "conformance_variant(${name}): what is ${V_UNPARSED_ARGUMENTS}${V_KEYWORDS_MISSING_VALUES}?")
  endif()
  if(NOT V_SUITES)
    set(V_SUITES folder)
  endif()
  if(NOT V_SOURCE)
    set(V_SOURCE ${source_${provider}})
  endif()
  set(options fsname=conformance)
  if(NOT V_ALONE)
    string(APPEND options ,allow_other,default_permissions)
  endif()
  set(command $<TARGET_FILE:isthmus>)
  if(V_USER)
    set(command ${CMAKE_CURRENT_SOURCE_DIR}/serve_as_user $<TARGET_FILE:isthmus> {mnt} {src})
  else()
    string(APPEND options ,dev,suid)
  endif()
  if(V_OPTIONS)
    string(APPEND options ,${V_OPTIONS})
  endif()
  set(traits --traits=${traits_${provider}},${V_TRAITS})
  set(filter "")
  if(V_FILTER)
    set(filter --gtest_filter=${V_FILTER})
  endif()
  set(with "")
  if(V_URING)
    set(with ${needs_uring})
  endif()
  list(APPEND with $<TARGET_FILE:with_mount> --timeout 300 --tmpfs src --tmpfs other --tmpfs small=size=2m,nr_inodes=64,mode=755 -)
  set(serve ${with} -- ${command} mount -f -o ${options})
  set(on_folder --- ${folder} --dir={mnt} --native={other} ${traits})
  set(on_model --- ${model} --dir={mnt} --reference={other} ${traits} ${V_ARGUMENTS})
  foreach(suite ${V_SUITES})
    if(suite STREQUAL "folder")
      conformance_test(fuse_${name} ${serve} ${V_SOURCE} {mnt} ${on_folder} ${filter})
      set(made fuse_${name})
    elseif(suite STREQUAL "model")
      conformance_test(fuse_${name}_model ${serve} ${V_SOURCE} {mnt} ${on_model})
      set(made fuse_${name}_model)
    elseif(suite STREQUAL "full")
      conformance_test(fuse_${name}_full ${serve} ${small_${provider}} {mnt} ${on_folder} --small={mnt} --gtest_filter=Full.*)
      set(made fuse_${name}_full)
    elseif(suite STREQUAL "crowd")
      conformance_test(fuse_${name}_crowd ${serve} ${V_SOURCE} {mnt} ${on_folder} --threads=16 --gtest_filter=Concurrency.*)
      conformance_test(fuse_${name}_crowd_model ${serve} ${V_SOURCE} {mnt} ${on_model} --threads=16)
      set(made fuse_${name}_crowd fuse_${name}_crowd_model)
    else()
      message(FATAL_ERROR "conformance_variant(${name}): no suite ${suite}")
    endif()
    if(V_URING)
      foreach(test ${made})
        set_tests_properties(conformance.${test} PROPERTIES FIXTURES_REQUIRED uring)
      endforeach()
    endif()
    if(V_ONCE)
      foreach(test ${made})
        set_property(TEST conformance.${test} APPEND PROPERTY LABELS once)
      endforeach()
    endif()
  endforeach()
endfunction()

# As people mount. The whole suite takes about 10 s a run on two quiet cores, the model 3 s, a crowd 4 s.
conformance_variant(pass pass SUITES folder model full crowd)
conformance_variant(mem mem SUITES folder model full crowd)

# Each transport by name: which one the runs above had depends on the machine.
conformance_variant(pass_classic pass OPTIONS transport=classic SUITES folder crowd ONCE)
conformance_variant(mem_classic mem OPTIONS transport=classic SUITES folder model crowd ONCE)
conformance_variant(pass_uring pass OPTIONS transport=uring URING SUITES folder crowd ONCE)
conformance_variant(mem_uring mem OPTIONS transport=uring URING SUITES folder model crowd ONCE)

# Without the page cache: the families that move data, names and attributes are not concerned.
set(data_families ReadWrite.*:Mmap.*:Open.*:Truncate.*:Copy*.*:Fallocate.*:Tmpfile.*:Concurrency.*:Exec.*)
conformance_variant(pass_direct_io pass OPTIONS direct_io ONCE SUITES folder model)
conformance_variant(mem_direct_io mem OPTIONS direct_io FILTER ${data_families} SUITES folder model)
# With the kernel's write-back cache: st_blocks is stale until close, and reading changes no times (docs/fuse.md).
conformance_variant(mem_writeback mem OPTIONS writeback_cache TRAITS -sparse,-atime SUITES folder model)

# The kernel reads and writes plain files by itself, with rights of the server's, without CAP_FSETID, and asks of O_APPEND at
# open only.
conformance_variant(pass_passthrough pass OPTIONS passthrough TRAITS -root_keeps_setid,-append_off SUITES folder model full crowd)

# An ordinary user's mount: nosuid and nodev by fusermount3. With pass every file belongs to that user, whoever makes it.
conformance_variant(mem_user mem USER TRAITS -devices ONCE)
conformance_variant(pass_user pass USER TRAITS -devices,-owners,-other_users,-posix_acl,-xattrs_trusted ONCE)

# Nobody but root may enter: permissions are not the kernel's business.
conformance_variant(pass_root pass ALONE TRAITS -other_users FILTER -Readdir.*:Concurrency.* ONCE)
conformance_variant(mem_root mem ALONE TRAITS -other_users FILTER -Readdir.*:Concurrency.* ONCE)

# Every open and close is a request, and the file system keeps the locks.
conformance_variant(mem_stateful mem OPTIONS no_stateless_open,remote_lock SUITES folder model)
conformance_variant(pass_stateful pass OPTIONS no_stateless_open SUITES folder model crowd ONCE)
# A folder whose changes by others are not heard: opens are requests, little is believed for long.
conformance_variant(pass_unheard pass SOURCE dir:{src}?watch=off SUITES folder model ONCE)

# Several users, whose permissions the file system checks alone; it is not asked when a fifo or a socket is opened. As names are
# looked up each time there, the kernel's count of links can be 0 for a moment while others link and unlink, and link(2) fails with
# ENOENT before anybody is asked; so it does on libfuse's passthrough_ll with cache=never.
foreach(provider pass mem)
  conformance_variant(${provider}_unchecked ${provider} ALONE OPTIONS allow_other,no_default_permissions TRAITS -special_modes
                      FILTER -Concurrency.LinksCountRight ONCE)
endforeach()

# Behind another process that answers packets, the userfs door over mem.
conformance_variant(mem_over_userfs mem SOURCE "userfs:$<TARGET_FILE:isthmus> serve mem: --userfs -" SUITES folder model)

# compress+ over a folder, and over mem. Not there: space cannot be promised before it is known how well data compresses; holes are
# frames, not blocks; files without a name, birth times and white-outs are not kept; there is an end to sizes; a file that is stored anew
# touches its directory (docs/compress.md).
set(not_compressed name_max=251,-dir_mtime,-fallocate,-keep_size,-holes,-tmpfile,-huge_files,-btime,-rename_whiteout)
conformance_variant(compressed_mem mem SOURCE compress+mem: TRAITS ${not_compressed} SUITES folder model crowd)
conformance_variant(compressed_pass pass SOURCE compress+dir:{src} TRAITS ${not_compressed} SUITES folder model ONCE)

# Under fault+. Delays may change no result. Injected errors may come for any operation, and nothing else may: after each the
# operation is done again and must then do what it does on tmpfs; seeds are fixed, the schedule of the threads is not.
set(errors *:EIO:p=0.004$<SEMICOLON>*:ENOMEM:p=0.003$<SEMICOLON>*:EINTR:p=0.003)
set(faults ${errors}$<SEMICOLON>*:delay=1ms:p=0.01&fault.seed=1)
set(tolerant --injected=EIO,ENOMEM,EINTR --compare-every=5000)
conformance_variant(mem_slow mem SOURCE fault+mem:?fault.rules=*:delay=1ms:p=0.02&fault.seed=1 FILTER -Readdir.* ONCE)
conformance_variant(mem_faults mem SOURCE fault+mem:?fault.rules=${faults} ARGUMENTS ${tolerant} SUITES model)
conformance_variant(pass_faults pass SOURCE fault+dir:{src}?fault.rules=${faults} ARGUMENTS ${tolerant} SUITES model)
conformance_variant(mem_faults_16 mem SOURCE fault+mem:?fault.rules=${faults} ARGUMENTS ${tolerant} --threads=16 SUITES model)
