# Whole programs against each other. Every test makes its own home and picks free ports.
function(e2e_program name)
	cmake_parse_arguments(E "" "" "SOURCES;LINKS" ${ARGN})
	add_executable(e2e_${name} ${E_SOURCES})
	target_compile_options(e2e_${name} PRIVATE ${AITBC_WARNINGS})
	target_include_directories(e2e_${name} PRIVATE ${PROJECT_SOURCE_DIR})
	target_link_libraries(e2e_${name} PRIVATE ${E_LINKS})
	set_target_properties(e2e_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()

if(TARGET aitbcd)
	e2e_program(crash SOURCES e2e/crash.c e2e/load.c bench/presign.c LINKS live chain Threads::Threads)
	add_test(NAME e2e_kill_nine COMMAND e2e_crash $<TARGET_FILE:aitbcd> ${CMAKE_BINARY_DIR}/tests 10)
	add_test(NAME e2e_kill_nine_often COMMAND e2e_crash $<TARGET_FILE:aitbcd> ${CMAKE_BINARY_DIR}/tests 100)
	e2e_program(faults SOURCES e2e/faults.c e2e/equal.c e2e/load.c bench/presign.c LINKS live chain Threads::Threads)
	add_test(NAME e2e_four_validators_hurt
		COMMAND e2e_faults $<TARGET_FILE:aitbcd> ${CMAKE_BINARY_DIR}/tests 60)
	add_test(NAME e2e_four_validators_hurt_for_ten_minutes
		COMMAND e2e_faults $<TARGET_FILE:aitbcd> ${CMAKE_BINARY_DIR}/tests 600)
	set_tests_properties(e2e_four_validators_hurt PROPERTIES LABELS e2e TIMEOUT 300 RUN_SERIAL ON
		ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/unit/tsan.supp")
	set_tests_properties(e2e_four_validators_hurt_for_ten_minutes
		PROPERTIES LABELS "e2e;full" TIMEOUT 1800 RUN_SERIAL ON)
	e2e_program(join SOURCES e2e/join.c LINKS live)
	add_test(NAME e2e_a_wiped_node_joins COMMAND e2e_join $<TARGET_FILE:aitbcd> ${CMAKE_BINARY_DIR}/tests)
	set_tests_properties(e2e_a_wiped_node_joins PROPERTIES LABELS e2e TIMEOUT 300 RUN_SERIAL ON)
	e2e_program(disk_full SOURCES e2e/disk_full.c LINKS live)
	add_test(NAME e2e_disk_full COMMAND e2e_disk_full $<TARGET_FILE:aitbcd> ${CMAKE_BINARY_DIR}/tests 4)
	set_tests_properties(e2e_disk_full PROPERTIES LABELS e2e TIMEOUT 300 SKIP_RETURN_CODE 77)
	e2e_program(bad_input SOURCES e2e/bad_input.c LINKS live)
	add_test(NAME e2e_bad_input COMMAND e2e_bad_input $<TARGET_FILE:aitbcd> ${CMAKE_BINARY_DIR}/tests 3000)
	add_test(NAME e2e_bad_input_often
		COMMAND e2e_bad_input $<TARGET_FILE:aitbcd> ${CMAKE_BINARY_DIR}/tests 200000)
	set_tests_properties(e2e_bad_input PROPERTIES LABELS e2e TIMEOUT 300)
	set_tests_properties(e2e_bad_input_often PROPERTIES LABELS "e2e;full" TIMEOUT 1800)
	set_tests_properties(e2e_kill_nine PROPERTIES LABELS e2e TIMEOUT 300 RUN_SERIAL ON)
	set_tests_properties(e2e_kill_nine_often PROPERTIES LABELS "e2e;full" TIMEOUT 1800 RUN_SERIAL ON)
endif()

if(TARGET aitbcd AND TARGET aitbc-miner)
	e2e_program(miner SOURCES e2e/miner.c e2e/miner_world.c e2e/miner_chain.c LINKS live wallet lib::cmocka)
	target_compile_options(e2e_miner PRIVATE -Wno-unused-parameter)
	add_dependencies(e2e_miner aitbcd aitbc-miner miner_exec_child)
	add_test(NAME e2e_miner COMMAND e2e_miner $<TARGET_FILE:aitbcd> $<TARGET_FILE:aitbc-miner>
		$<TARGET_FILE:miner_exec_child> ${CMAKE_BINARY_DIR}/tests)
	set_tests_properties(e2e_miner PROPERTIES LABELS e2e TIMEOUT 300)
endif()

if(TARGET aitbcd AND TARGET aitbc AND TARGET aitbc-miner)
	find_program(BASH bash REQUIRED)
	add_test(NAME e2e_demo COMMAND ${BASH} ${PROJECT_SOURCE_DIR}/devnet/demo.sh)
	set_tests_properties(e2e_demo PROPERTIES LABELS e2e TIMEOUT 300 RUN_SERIAL ON
		ENVIRONMENT "AITBC_BIN=${CMAKE_BINARY_DIR};AITBC_DEVNET=${CMAKE_BINARY_DIR}/tests/demo;AITBC_BASE_PORT=auto;AITBC_OLLAMA_URL=http://127.0.0.1:9")
endif()

if(TARGET aitbcd AND TARGET aitbc AND TARGET aitbc-miner)
	add_test(NAME e2e_cli COMMAND ${BASH} ${PROJECT_SOURCE_DIR}/tests/e2e/cli.sh)
	set_tests_properties(e2e_cli PROPERTIES LABELS e2e TIMEOUT 300
		ENVIRONMENT "AITBC_BIN=${CMAKE_BINARY_DIR};AITBC_DEVNET=${CMAKE_BINARY_DIR}/tests/cli;AITBC_BASE_PORT=auto;AITBC_OLLAMA_URL=http://127.0.0.1:9")
endif()

if(TARGET aitbcd AND TARGET aitbc)
	e2e_program(light SOURCES e2e/light.c LINKS live chain_format)
	add_test(NAME e2e_authority COMMAND ${BASH} ${PROJECT_SOURCE_DIR}/tests/e2e/authority.sh $<TARGET_FILE:e2e_light>)
	set_tests_properties(e2e_authority PROPERTIES LABELS e2e TIMEOUT 300 RUN_SERIAL ON
		ENVIRONMENT "AITBC_BIN=${CMAKE_BINARY_DIR};AITBC_DEVNET=${CMAKE_BINARY_DIR}/tests/authority;AITBC_BASE_PORT=auto")
endif()
