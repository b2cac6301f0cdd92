varve_test(storage_reclaim_tests LABEL unit
  SOURCES
    reclaim/disk_usage_test.cc
    reclaim/docker_scenarios_test.cc
    reclaim/prune_schedules_test.cc
    reclaim/reclaimer_test.cc
    reclaim/reference_check_test.cc
  LIBRARIES varve_test_support varve_flaky_index varve_crash_replay Boost::headers Threads::Threads)
target_compile_definitions(storage_reclaim_tests
  PRIVATE VARVE_DOCKER_SCENARIOS="${CMAKE_CURRENT_SOURCE_DIR}/reclaim/docker_scenarios.jsonl"
          VARVE_PRUNE_PAGE="${PROJECT_SOURCE_DIR}/deploy/PRUNE.md")
