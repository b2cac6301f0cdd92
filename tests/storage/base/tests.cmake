varve_test(storage_base_tests LABEL unit THREADS
  SOURCES
    base/bytes_test.cc
    base/check_test.cc
    base/clock_test.cc
    base/default_socket_test.cc
    base/json_text_test.cc
    base/mutex_test.cc
    base/status_test.cc
    base/str_cat_test.cc
  LIBRARIES varve_test_support)
