add_library(settle_kit STATIC unit/settle_kit.c)
target_compile_options(settle_kit PRIVATE ${AITBC_WARNINGS})
target_include_directories(settle_kit PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(settle_kit PUBLIC chain_settle chain base lib::cmocka)

unit_test(settle_flow LINKS settle_kit)
