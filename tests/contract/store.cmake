# The store contract: one suite over every kind of store.
add_library(varve_store_contract_fixture STATIC store_contract_fixture.cc)
target_link_libraries(varve_store_contract_fixture
  PUBLIC varve_test_support varve_flaky_index varve_storage GTest::gtest
  PRIVATE varve_warnings)

# store_contract_suite(<name> <file…>): compiled once for all the binaries that run it.
function(store_contract_suite name)
  add_library(${name} OBJECT ${ARGN})
  target_link_libraries(${name}
    PUBLIC varve_store_contract_fixture GTest::gmock
    PRIVATE varve_warnings)
endfunction()

store_contract_suite(varve_store_contract_suite
  store_contract_artifacts_test.cc
  store_contract_blobs_test.cc
  store_contract_claims_test.cc
  store_contract_images_test.cc
  store_contract_listings_test.cc
  store_contract_manifests_test.cc
  store_contract_merge_test.cc
  store_contract_names_test.cc
  store_contract_promises_test.cc
  store_contract_prune_test.cc
  store_contract_removal_test.cc
  store_contract_system_test.cc
  store_contract_uploads_test.cc)
store_contract_suite(varve_store_model_suite store_contract_model_test.cc)
store_contract_suite(varve_concurrency_suite store_contract_concurrency_test.cc)

varve_test(contract_store_tests LABEL contract THREADS TIMEOUT 300
  SOURCES engine_stores.cc
  LIBRARIES varve_store_contract_suite Threads::Threads)

varve_test(contract_model_tests LABEL contract THREADS TIMEOUT 300
  SOURCES engine_stores.cc
  LIBRARIES varve_store_model_suite)

varve_test(contract_concurrency_tests LABEL contract THREADS TIMEOUT 300
  SOURCES engine_stores.cc
  LIBRARIES varve_concurrency_suite Threads::Threads)

# The same suites through the doors of a running daemon, and what only several doors show. A binary
# of its own: the others link neither gRPC nor HTTP, so that they run under ThreadSanitizer.
varve_test(contract_doors_tests LABEL contract TIMEOUT 300
  SOURCES
    door_stores.cc
    doors/door_store.cc
    doors/grpc_store.cc
    doors/grpc_upload.cc
    doors/http_exchanges.cc
    doors/http_store.cc
    doors/http_upload.cc
    doors/json_text.cc
    doors/live_doors.cc
    doors_errors_test.cc
    doors_lease_test.cc
    doors_names_test.cc
    doors_private_test.cc
    doors_test.cc
    ../daemon/http/http_client.cc
    ../daemon/http/fake_store.cc
  LIBRARIES varve_store_contract_suite varve_concurrency_suite varve_store_model_suite varve_client
            varve_grpc varve_http varve_proto gRPC::grpc++ absl::str_format Threads::Threads)
