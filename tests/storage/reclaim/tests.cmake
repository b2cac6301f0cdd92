# Recorded runs of Docker; apart, because the command line is compared with them too.
add_library(varve_docker_scenario STATIC reclaim/docker_scenario.cc)
target_compile_definitions(varve_docker_scenario
  PRIVATE VARVE_DOCKER_SCENARIOS="${CMAKE_CURRENT_SOURCE_DIR}/reclaim/docker_scenarios.jsonl"
          VARVE_DIFFERENCES="${CMAKE_CURRENT_SOURCE_DIR}/reclaim/docker_scenarios.md")
target_link_libraries(varve_docker_scenario
  PUBLIC varve_test_support varve_storage Boost::headers GTest::gtest
  PRIVATE varve_warnings)

varve_test(storage_reclaim_tests LABEL unit THREADS
  SOURCES
    reclaim/disk_usage_test.cc
    reclaim/docker_scenarios_test.cc
    reclaim/every_step_test.cc
    reclaim/prune_schedules_test.cc
    reclaim/reclaimer_test.cc
  LIBRARIES varve_docker_scenario varve_test_support varve_flaky_index varve_crash_replay
    Boost::headers Threads::Threads)
