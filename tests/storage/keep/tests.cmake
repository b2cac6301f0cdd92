varve_test(storage_keep_tests LABEL unit THREADS
  SOURCES
    keep/dangling_search_test.cc
    keep/what_keeps_test.cc
  LIBRARIES varve_test_support Threads::Threads)
