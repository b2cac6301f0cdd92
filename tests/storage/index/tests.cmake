varve_test(storage_index_tests LABEL unit THREADS
  SOURCES index/counted_changes_test.cc index/due_queue_test.cc index/log_damage_test.cc
          index/reads_test.cc index/rocksdb_failure_test.cc index/rocksdb_index_test.cc
          index/rows_test.cc
          index/synced_logs_test.cc index/usage_gate_test.cc
  LIBRARIES varve_storage RocksDB::rocksdb)
