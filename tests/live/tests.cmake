# What end-to-end tests and benchmarks share: a real node as a child, and questions to it.
add_library(live STATIC live/ask.c live/node.c live/net.c live/relay.c)
target_compile_options(live PRIVATE ${AITBC_WARNINGS})
target_include_directories(live PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(live PUBLIC genesis base lib::jansson Threads::Threads)
