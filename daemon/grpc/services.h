// The services of package varve.v1 over one door. Thread-safe.
#ifndef VARVE_DAEMON_GRPC_SERVICES_H_
#define VARVE_DAEMON_GRPC_SERVICES_H_

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "daemon/grpc/call.h"

namespace varve {

// `door` must outlive the service.
std::unique_ptr<grpc::Service> NewBlobsService(GrpcDoor& door);
std::unique_ptr<grpc::Service> NewHoldsService(GrpcDoor& door);
std::unique_ptr<grpc::Service> NewImagesService(GrpcDoor& door);
std::unique_ptr<grpc::Service> NewLeasesService(GrpcDoor& door);
std::unique_ptr<grpc::Service> NewRepositoriesService(GrpcDoor& door);
std::unique_ptr<grpc::Service> NewSystemService(GrpcDoor& door);
std::unique_ptr<grpc::Service> NewUploadsService(GrpcDoor& door);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_SERVICES_H_
