# The OCI distribution door. The status table is a target of its own: the gRPC door uses it too.
add_library(varve_status_mapping STATIC status_mapping.cc)
target_link_libraries(varve_status_mapping PUBLIC varve_storage PRIVATE varve_warnings)

# Calls that name a lease, for both doors.
add_library(varve_leased_call STATIC leased_call.cc)
target_link_libraries(varve_leased_call PUBLIC varve_storage PRIVATE varve_warnings)

# What a request means, apart from any socket, so that it can be fuzzed.
add_library(varve_http_route STATIC
  http/authority.cc
  http/byte_range.cc
  http/route.cc)
target_link_libraries(varve_http_route PUBLIC varve_image PRIVATE varve_warnings)

add_library(varve_http STATIC
  http/admission.cc
  http/blobs.cc
  http/connection.cc
  http/dispatch.cc
  http/listing_cache.cc
  http/listings.cc
  http/manifests.cc
  http/pace.cc
  http/parked.cc
  http/poller.cc
  http/reply.cc
  http/request_reader.cc
  http/server.cc
  http/session.cc
  http/socket.cc
  http/upload_client.cc
  http/uploads.cc
  http/worker_pool.cc)
target_link_libraries(varve_http
  PUBLIC varve_storage varve_status_mapping varve_http_route varve_daemon_base
  PRIVATE varve_warnings varve_leased_call Boost::headers absl::str_format Threads::Threads)
