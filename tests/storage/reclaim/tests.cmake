varve_test(storage_reclaim_tests LABEL unit
  SOURCES reclaim/reclaimer_test.cc
  LIBRARIES varve_test_support varve_flaky_index)
