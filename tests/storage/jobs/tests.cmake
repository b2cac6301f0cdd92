varve_test(storage_jobs_tests LABEL unit THREADS
  SOURCES
    jobs/job_table_test.cc
    jobs/work_pace_test.cc
  LIBRARIES varve_test_support Threads::Threads)
