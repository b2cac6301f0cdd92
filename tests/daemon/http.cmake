varve_test(http_route_test LABEL unit
  SOURCES http_authority_test.cc http_byte_range_test.cc http_route_test.cc http_status_mapping_test.cc
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
  LIBRARIES varve_http varve_storage absl::str_format Threads::Threads)
