add_library(varve_flaky_index STATIC ${PROJECT_SOURCE_DIR}/tests/support/flaky_index.cc)
target_link_libraries(varve_flaky_index PUBLIC varve_storage PRIVATE varve_warnings)

varve_test(contract_index_tests LABEL contract THREADS
  SOURCES index_contract_test.cc index_concurrency_test.cc
  LIBRARIES varve_flaky_index varve_storage Threads::Threads)
