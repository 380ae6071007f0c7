# Compiler settings and the few functions every folder of the tree uses.
include(GNUInstallDirs)
find_package(PkgConfig REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(NATS REQUIRED IMPORTED_TARGET libnats)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(NCURSES REQUIRED IMPORTED_TARGET ncursesw>=6.1)
pkg_check_modules(MHD REQUIRED IMPORTED_TARGET libmicrohttpd)

add_library(wasmctl_flags INTERFACE)
target_compile_options(wasmctl_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wpointer-arith
  -Wundef -Wformat=2 -Wvla -Wno-missing-field-initializers -fno-common -fstack-protector-strong
  -ffunction-sections -fdata-sections)
target_compile_definitions(wasmctl_flags INTERFACE _GNU_SOURCE WASMCTL_VERSION="${PROJECT_VERSION}")
target_include_directories(wasmctl_flags INTERFACE ${CMAKE_SOURCE_DIR}/libwasmctl)
target_link_options(wasmctl_flags INTERFACE -Wl,--gc-sections)
if(WASMCTL_WERROR)
  target_compile_options(wasmctl_flags INTERFACE -Werror)
endif()
if(WASMCTL_FUZZ)
  target_compile_options(wasmctl_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(wasmctl_flags INTERFACE -fsanitize=address,undefined)
elseif(WASMCTL_SANITIZE)
  target_compile_options(wasmctl_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer)
  target_link_options(wasmctl_flags INTERFACE -fsanitize=address,undefined)
else()
  target_compile_definitions(wasmctl_flags INTERFACE $<$<CONFIG:Release,RelWithDebInfo>:_FORTIFY_SOURCE=2>)
  target_link_options(wasmctl_flags INTERFACE -pie -Wl,-z,relro,-z,now)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()

# wasmctl_module(<name> SOURCES a.c b.c [USES base data ...] [LIBS PkgConfig::X ...])
# One static library a folder of libwasmctl, named w_<name>.
function(wasmctl_module name)
  cmake_parse_arguments(M "" "" "SOURCES;USES;LIBS" ${ARGN})
  add_library(w_${name} STATIC ${M_SOURCES})
  target_link_libraries(w_${name} PUBLIC wasmctl_flags)
  foreach(use ${M_USES})
    target_link_libraries(w_${name} PUBLIC w_${use})
  endforeach()
  target_link_libraries(w_${name} PRIVATE ${M_LIBS})
endfunction()

# wasmctl_unit_test(<name> SOURCES t.c [USES module ...] [LIBS ...] [TIMEOUT s] [LABEL unit|fault])
# One cmocka program, one CTest entry with its own time limit.
function(wasmctl_unit_test name)
  cmake_parse_arguments(T "" "TIMEOUT;LABEL" "SOURCES;USES;LIBS;ARGS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 30)
  endif()
  if(NOT T_LABEL)
    set(T_LABEL unit)
  endif()
  add_executable(test_${name} ${T_SOURCES})
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  foreach(use ${T_USES})
    target_link_libraries(test_${name} PRIVATE w_${use})
  endforeach()
  target_link_libraries(test_${name} PRIVATE wasmctl_flags ${T_LIBS} PkgConfig::CMOCKA)
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR})
  add_test(NAME ${T_LABEL}.${name} COMMAND test_${name} ${T_ARGS})
  set_tests_properties(${T_LABEL}.${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS ${T_LABEL})
endfunction()

# wasmctl_embed(<target> <symbol> <file>): adds a generated C file with `const char <symbol>[]` (NUL-terminated) and
# `const size_t <symbol>_len` to the target.
function(wasmctl_embed target symbol file)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embed_${symbol}.c)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DIN=${file} -DOUT=${out} -DSYMBOL=${symbol} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
