// The OCI distribution API: one function an endpoint and method, each of which reads its request,
// calls the store and makes a Reply, in a straight line. Called on a worker thread; no state of
// their own.
#ifndef VARVE_DAEMON_HTTP_HANDLERS_H_
#define VARVE_DAEMON_HTTP_HANDLERS_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "daemon/http/listing_cache.h"
#include "daemon/http/reply.h"
#include "daemon/http/request.h"
#include "daemon/http/request_reader.h"
#include "daemon/http/route.h"
#include "daemon/http/server.h"
#include "daemon/http/socket.h"
#include "daemon/status_mapping.h"
#include "storage/digest/digest.h"
#include "storage/store.h"

namespace varve {

// One request being answered. The references outlive it.
struct Exchange {
  Store& store;
  ListingCache& listings;
  const HttpServerOptions& options;
  const ConnectionEnds& ends;
  const Request& request;
  const Route& route;
  RequestReader& body;
  std::string_view request_id;

  bool is_head() const { return request.method == "HEAD"; }
};

// Checks that the request may come in, its method and the repository name, then calls the
// endpoint's handler.
Reply Dispatch(const Exchange& exchange);

// The answer to an error of the store, by the table of daemon/status_mapping.h.
Reply StoreError(const Exchange& exchange, const absl::Status& status, Subject subject);
// The answer to a target that is no route.
Reply RouteError(const absl::Status& status);
// The answer to an error of RequestReader::NextBody.
Reply BodyError(const Exchange& exchange, const absl::Status& status);
// The answer to an error of attaching what a request names to its lease.
Reply LeaseError(const Exchange& exchange, const absl::Status& status);
// 400 DIGEST_INVALID.
Reply BadDigest(const absl::Status& status);

// admission.cc: the refusal of a request that must not reach its handler; nullopt when it may. 421
// for a foreign host on a loopback address, 403 for the page of another site, 405 for a change of a
// read-only registry. Health is for everybody.
std::optional<Reply> RefuseAdmission(const Exchange& exchange);

// blobs.cc
Reply GetBlob(const Exchange& exchange);  // and HEAD
Reply DeleteBlob(const Exchange& exchange);

// uploads.cc
Reply StartUpload(const Exchange& exchange);
Reply GetUpload(const Exchange& exchange);
Reply PatchUpload(const Exchange& exchange);
Reply FinishUpload(const Exchange& exchange);
Reply CancelUpload(const Exchange& exchange);

// manifests.cc
Reply GetManifest(const Exchange& exchange);  // and HEAD
Reply PutManifest(const Exchange& exchange);
Reply DeleteManifest(const Exchange& exchange);

// listings.cc
Reply ListTags(const Exchange& exchange);
Reply ListReferrers(const Exchange& exchange);
Reply ListCatalog(const Exchange& exchange);

// Headers shared by GET and HEAD of immutable content: digest and entity tag, and the media type.
void AddIdentity(Reply* reply, const Digest& digest);
void AddContentHeaders(Reply* reply, std::string_view media_type, const Digest& digest);
// 304 when If-None-Match names the digest; else nullopt.
std::optional<Reply> NotModified(const Exchange& exchange, const Digest& digest);

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_HANDLERS_H_
