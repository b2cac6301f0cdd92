varve_test(http_route_test LABEL unit
  SOURCES http_route_test.cc http_status_mapping_test.cc
  LIBRARIES varve_http_route varve_status_mapping)
