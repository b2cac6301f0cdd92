varve_test(http_route_test LABEL unit
  SOURCES
    http_authority_test.cc
    http_byte_range_test.cc
    http_route_test.cc
    http_status_mapping_test.cc
  LIBRARIES varve_http_route varve_status_mapping)

# http_*_test of a running server: each test has its own, on a port of its own.
varve_test(http_door_test LABEL unit
  SOURCES
    http_admission_test.cc
    http_client.cc
    http_door_test.cc
    http_failure_test.cc
    http_fake_store.cc
    http_hostile_test.cc
    http_manifest_test.cc
    http_range_test.cc
    http_reply_test.cc
    http_restart_test.cc
    http_socket_test.cc
    http_upload_client_test.cc
    http_waiting_test.cc
  LIBRARIES varve_http varve_storage absl::str_format Threads::Threads)

# A varved of its own beside hundreds of slow clients; thousands with VARVE_LONG in the environment.
varve_test(http_slow_peers_test LABEL unit TIMEOUT 300
  SOURCES http_client.cc http_slow_peers_test.cc
  LIBRARIES varve_http varve_storage absl::str_format Threads::Threads)
target_compile_definitions(http_slow_peers_test PRIVATE VARVED_BINARY="$<TARGET_FILE:varved>")
add_dependencies(http_slow_peers_test varved)
