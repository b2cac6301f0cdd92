# The store contract: one suite over every kind of store.
add_library(varve_store_contract_fixture STATIC store_contract_fixture.cc)
target_link_libraries(varve_store_contract_fixture
  PUBLIC varve_test_support varve_flaky_index varve_storage GTest::gtest
  PRIVATE varve_warnings)

varve_test(varve_store_contract_tests LABEL contract TIMEOUT 300
  SOURCES
    store_contract_blobs_test.cc
    store_contract_listings_test.cc
    store_contract_manifests_test.cc
    store_contract_promises_test.cc
    store_contract_uploads_test.cc
  LIBRARIES varve_store_contract_fixture Threads::Threads)

varve_test(varve_store_model_tests LABEL contract TIMEOUT 300
  SOURCES store_contract_model_test.cc
  LIBRARIES varve_store_contract_fixture)

varve_test(varve_concurrency_tests LABEL contract TIMEOUT 300
  SOURCES store_contract_concurrency_test.cc
  LIBRARIES varve_store_contract_fixture Threads::Threads)
