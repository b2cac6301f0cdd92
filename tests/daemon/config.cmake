varve_test(varve_config_tests LABEL unit
  SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/command_line_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/config_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/config_values_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/health_watch_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/http_fake_store.cc
    ${CMAKE_CURRENT_LIST_DIR}/log_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/own_hosts_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/scheduled_prune_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/service_manager_test.cc
  LIBRARIES varve_daemon_base varve_test_support)
target_compile_definitions(varve_config_tests PRIVATE
  VARVE_SAMPLE_CONFIG="${PROJECT_SOURCE_DIR}/deploy/varved.toml")
