# How this house is built: one static library per folder, links spelled out, one set of warnings.
include_guard(GLOBAL)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

foreach(pair IN ITEMS
		"event:libevent" "event_pthreads:libevent_pthreads" "microhttpd:libmicrohttpd"
		"jansson:jansson" "curl:libcurl" "protobufc:libprotobuf-c"
		"secp256k1:libsecp256k1" "sodium:libsodium" "nettle:nettle" "cmocka:cmocka")
	string(REPLACE ":" ";" pair "${pair}")
	list(GET pair 0 name)
	list(GET pair 1 module)
	pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
	add_library(lib::${name} ALIAS PkgConfig::${name})
endforeach()

# RocksDB looks at a thread-local counter with every key it compares, which from a shared library is a
# call: a third of the cost of a row. So optimized builds take the archive out of the same package. Others
# keep the shared library: quicker to link, and the thread sanitizer's suppressions name it.
pkg_check_modules(rocksdb REQUIRED IMPORTED_TARGET rocksdb)
find_library(ROCKSDB_ARCHIVE librocksdb.a)
find_library(STDCXX_LIBRARY NAMES stdc++ libstdc++.so.6)
if(CMAKE_BUILD_TYPE MATCHES "^Rel" AND ROCKSDB_ARCHIVE AND STDCXX_LIBRARY)
	add_library(rocksdb_archive INTERFACE)
	target_link_libraries(rocksdb_archive INTERFACE ${ROCKSDB_ARCHIVE} snappy bz2 z lz4 zstd
		${STDCXX_LIBRARY} Threads::Threads ${CMAKE_DL_LIBS} m)
	add_library(lib::rocksdb ALIAS rocksdb_archive)
else()
	add_library(lib::rocksdb ALIAS PkgConfig::rocksdb)
endif()

# Debian's libwslay-dev has no pkg-config file.
find_path(WSLAY_INCLUDE wslay/wslay.h REQUIRED)
find_library(WSLAY_LIBRARY wslay REQUIRED)
add_library(lib::wslay UNKNOWN IMPORTED GLOBAL)
set_target_properties(lib::wslay PROPERTIES
	IMPORTED_LOCATION ${WSLAY_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${WSLAY_INCLUDE})

set(AITBC_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wswitch-enum -Wmissing-prototypes -Werror)
# Cutting a sentence that is too long for its buffer is what our snprintf calls are meant to do; GCC sees
# such cuts only with optimisation, so that a Debug build would pass what Release refuses.
include(CheckCCompilerFlag)
check_c_compiler_flag(-Wformat-truncation AITBC_HAS_FORMAT_TRUNCATION)
if(AITBC_HAS_FORMAT_TRUNCATION)
	list(APPEND AITBC_WARNINGS -Wno-format-truncation)
endif()

# room(NAME SOURCES a.c b.c [LINKS base chain ...]): a folder's library. Links are public, so that
# a program names only the rooms it speaks to.
function(room name)
	cmake_parse_arguments(R "" "" "SOURCES;LINKS" ${ARGN})
	add_library(${name} STATIC ${R_SOURCES})
	target_compile_options(${name} PRIVATE ${AITBC_WARNINGS})
	target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
	target_link_libraries(${name} PUBLIC ${R_LINKS})
endfunction()

# program(NAME SOURCES main.c LINKS node ...): an executable in the build folder itself.
function(program name)
	cmake_parse_arguments(P "" "" "SOURCES;LINKS" ${ARGN})
	add_executable(${name} ${P_SOURCES})
	target_compile_options(${name} PRIVATE ${AITBC_WARNINGS})
	target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
	target_link_libraries(${name} PRIVATE ${P_LINKS})
endfunction()
