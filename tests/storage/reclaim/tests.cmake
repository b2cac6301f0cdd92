varve_test(storage_reclaim_tests LABEL unit
  SOURCES
    reclaim/disk_usage_test.cc
    reclaim/prune_schedules_test.cc
    reclaim/reclaimer_test.cc
  LIBRARIES varve_test_support varve_flaky_index varve_crash_replay Threads::Threads)
