# The OCI distribution door. The status table is a target of its own: the gRPC door uses it too.
add_library(varve_status_mapping STATIC status_mapping.cc)
target_link_libraries(varve_status_mapping PUBLIC varve_storage PRIVATE varve_warnings)

# What a request means, apart from any socket, so that it can be fuzzed.
add_library(varve_http_route STATIC http/route.cc)
target_link_libraries(varve_http_route PUBLIC varve_storage PRIVATE varve_warnings)
