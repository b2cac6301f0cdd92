// The OCI distribution API: one function an endpoint and method, each of which looks at its
// request, calls the store and makes a Reply, in a straight line. Those that want a body answer
// with what takes it. Called on a worker thread; no state of their own.
#ifndef VARVE_DAEMON_HTTP_HANDLERS_H_
#define VARVE_DAEMON_HTTP_HANDLERS_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "daemon/http/listing_cache.h"
#include "daemon/http/reply.h"
#include "daemon/http/request.h"
#include "daemon/http/route.h"
#include "daemon/http/server.h"
#include "daemon/http/socket.h"
#include "daemon/status_mapping.h"
#include "storage/api/blobs.h"
#include "storage/api/store.h"
#include "storage/image/digest.h"

namespace varve {

// One request being answered. The references outlive it.
struct Exchange {
  const Store& store;
  ListingCache& listings;
  const HttpServerOptions& options;
  const ConnectionEnds& ends;
  const Request& request;
  const Route& route;
  std::string_view request_id;

  bool is_head() const { return request.method == "HEAD"; }
};

// Takes the body of one request as it arrives, perhaps on a different thread each time. Exactly one
// of its calls, the last one, gives the reply; dropped before, it leaves what a client that has
// gone leaves.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // The next bytes, not empty. A reply refuses the rest.
  virtual std::optional<Reply> Take(std::string_view bytes) = 0;
  // The body is complete.
  virtual Reply Finish() = 0;
  // There will be no more of it: errors of RequestReader::NextBody; DeadlineExceeded, the client
  // was too slow; Unavailable, it has to give way.
  virtual Reply Fail(const absl::Status& status) = 0;
  // What it keeps in memory for the rest to come, beside what the store accounts for.
  virtual size_t held_bytes() const { return 0; }
};

// The reply, or who takes the body first.
struct Answer {
  Answer(Reply given) : reply(std::move(given)) {}  // NOLINT: a reply is an answer
  template <typename Sink>
  Answer(std::unique_ptr<Sink> taker) : sink(std::move(taker)) {}  // NOLINT: as above

  Reply reply;
  std::unique_ptr<BodySink> sink;  // when set there is no reply yet
};

// Checks that the request may come in, its method and the repository name, then calls the
// endpoint's handler.
Answer Dispatch(const Exchange& exchange);

// The answer to an error of the store, by the table of daemon/status_mapping.h.
Reply StoreError(const Exchange& exchange, const absl::Status& status, About about);
// The answer to a target that is no route.
Reply RouteError(const absl::Status& status);
// The answer to what BodySink::Fail is told.
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
Answer StartUpload(const Exchange& exchange);
Reply GetUpload(const Exchange& exchange);
Answer PatchUpload(const Exchange& exchange);
Answer FinishUpload(const Exchange& exchange);
Reply CancelUpload(const Exchange& exchange);

// manifests.cc
Reply GetManifest(const Exchange& exchange);  // and HEAD
Answer PutManifest(const Exchange& exchange);
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
