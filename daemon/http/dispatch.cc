#include <optional>
#include <string>
#include <string_view>

#include "daemon/http/handlers.h"
#include "daemon/leased_call.h"
#include "storage/api/system.h"
#include "storage/base/json_text.h"
#include "storage/base/str_cat.h"
#include "storage/image/names.h"

namespace varve {
namespace {

Reply GetBase(const Exchange&) {
  Reply reply;
  reply.AddHeader("Content-Type", "application/json");
  reply.body = "{}";
  return reply;
}

Reply PlainText(int status, std::string_view body) {
  Reply reply;
  reply.status = status;
  reply.AddHeader("Content-Type", "text/plain; charset=utf-8");
  reply.body = body;
  return reply;
}

// The process answers: whatever its store does, starting it again is not for who asks this.
Reply GetLive(const Exchange&) { return PlainText(200, "ok\n"); }

// A full disk is no reason to take the daemon out of service: pulls and deletions go on.
Reply GetReady(const Exchange& exchange) {
  switch (exchange.store.system.Health()) {
    case StoreHealth::kReady:
      return PlainText(200, "ok\n");
    case StoreHealth::kFull:
      return PlainText(200, "full\n");
    case StoreHealth::kDead:
    case StoreHealth::kLost:
      break;
  }
  return PlainText(503, "the disk failed\n");
}

struct Operation {
  Endpoint endpoint;
  std::string_view method;
  Reply (*handler)(const Exchange&);
  Answer (*body_handler)(const Exchange&) = nullptr;  // instead, when it may want the body
};

constexpr Operation kOperations[] = {
    {Endpoint::kBase, "GET", GetBase},
    {Endpoint::kBase, "HEAD", GetBase},
    {Endpoint::kLive, "GET", GetLive},
    {Endpoint::kLive, "HEAD", GetLive},
    {Endpoint::kReady, "GET", GetReady},
    {Endpoint::kReady, "HEAD", GetReady},
    {Endpoint::kCatalog, "GET", ListCatalog},
    {Endpoint::kCatalog, "HEAD", ListCatalog},
    {Endpoint::kTags, "GET", ListTags},
    {Endpoint::kTags, "HEAD", ListTags},
    {Endpoint::kReferrers, "GET", ListReferrers},
    {Endpoint::kReferrers, "HEAD", ListReferrers},
    {Endpoint::kBlob, "GET", GetBlob},
    {Endpoint::kBlob, "HEAD", GetBlob},
    {Endpoint::kBlob, "DELETE", DeleteBlob},
    {Endpoint::kUploads, "POST", nullptr, StartUpload},
    {Endpoint::kUpload, "GET", GetUpload},
    {Endpoint::kUpload, "HEAD", GetUpload},
    {Endpoint::kUpload, "PATCH", nullptr, PatchUpload},
    {Endpoint::kUpload, "PUT", nullptr, FinishUpload},
    {Endpoint::kUpload, "DELETE", CancelUpload},
    {Endpoint::kManifest, "GET", GetManifest},
    {Endpoint::kManifest, "HEAD", GetManifest},
    {Endpoint::kManifest, "PUT", nullptr, PutManifest},
    {Endpoint::kManifest, "DELETE", DeleteManifest},
};

Reply MethodNotAllowed(Endpoint endpoint) {
  std::string allowed;
  for (const Operation& operation : kOperations) {
    if (operation.endpoint != endpoint) continue;
    if (!allowed.empty()) allowed += ", ";
    allowed += operation.method;
  }
  Reply reply = ErrorReply(405, "UNSUPPORTED",
                           StrCat("this path takes only the methods ", std::string_view(allowed)));
  reply.AddHeader("Allow", allowed);
  return reply;
}

// The digest of the blob or manifest that the URL names, if it names one and that is well-formed:
// what is not is for the handler to refuse.
std::optional<Digest> NamedDigest(const Route& route) {
  std::string_view text;
  if (route.endpoint == Endpoint::kBlob || route.endpoint == Endpoint::kManifest) {
    text = route.reference;
  } else if (const auto mount = route.Query("mount")) {
    text = *mount;
  } else if (const auto digest = route.Query("digest")) {
    text = *digest;
  }
  const absl::StatusOr<Digest> digest = Digest::Parse(text);
  return digest.ok() ? std::optional<Digest>(*digest) : std::nullopt;
}

// What was to be there, by the place in the target where something malformed is.
std::string_view CodeOfMalformed(std::string_view place) {
  if (place == "digest" || place == "mount" || place == "blobs" || place == "referrers") {
    return "DIGEST_INVALID";
  }
  if (place == "manifests" || place == "tag") return "MANIFEST_INVALID";
  if (place == "n" || place == "last" || place == "artifactType") return "UNSUPPORTED";
  return "NAME_INVALID";
}

// Attaches what the URL names to the lease of the request; a manifest that it names by a tag, or
// sends, is for its handler. A request that deletes keeps nothing. nullopt when the request may
// go on.
std::optional<Reply> AttachNamed(const Exchange& exchange) {
  switch (exchange.route.endpoint) {
    case Endpoint::kBlob:
    case Endpoint::kUploads:
    case Endpoint::kUpload:
    case Endpoint::kManifest:
      break;
    default:
      return std::nullopt;
  }
  if (exchange.request.method == "DELETE") return std::nullopt;
  const std::optional<Digest> named = NamedDigest(exchange.route);
  const absl::Status status =
      AttachTo(exchange.store.claims, exchange.request.lease,
               named ? absl::MakeConstSpan(&*named, 1) : absl::Span<const Digest>());
  if (status.ok()) return std::nullopt;
  return LeaseError(exchange, status);
}

}  // namespace

Answer Dispatch(const Exchange& exchange) {
  if (std::optional<Reply> refusal = RefuseAdmission(exchange)) return *std::move(refusal);
  const Operation* found = nullptr;
  for (const Operation& operation : kOperations) {
    if (operation.endpoint == exchange.route.endpoint &&
        operation.method == exchange.request.method) {
      found = &operation;
    }
  }
  if (found == nullptr) return MethodNotAllowed(exchange.route.endpoint);
  if (!exchange.route.repository.empty()) {
    const absl::Status name = ValidateRepositoryName(exchange.route.repository);
    if (!name.ok()) return ErrorReply(400, "NAME_INVALID", ToStd(name.message()));
  }
  if (!exchange.request.lease.empty()) {
    if (std::optional<Reply> refusal = AttachNamed(exchange)) return *std::move(refusal);
  }
  if (found->body_handler != nullptr) return found->body_handler(exchange);
  return found->handler(exchange);
}

Reply StoreError(const Exchange& exchange, const absl::Status& status, About about) {
  const DoorError error = MapStatus(status, about);
  std::string detail;
  if (!error.missing_digest.empty()) {
    detail = R"({"digest":)";
    AppendJsonString(&detail, error.missing_digest, kReplyEscapes);
    detail += "}";
  }
  Reply reply = ErrorReply(error.http_status, error.oci_code,
                           ClientMessage(status, error, exchange.request_id), detail);
  reply.cause = status;
  if (error.retry_after_seconds > 0) {
    reply.AddHeader("Retry-After", StrCat(error.retry_after_seconds));
  }
  return reply;
}

Reply LeaseError(const Exchange& exchange, const absl::Status& status) {
  return StoreError(exchange, status, About::kName);
}

Reply RouteError(const absl::Status& status) {
  if (absl::IsNotFound(status)) return ErrorReply(404, "UNSUPPORTED", ToStd(status.message()));
  if (absl::IsOutOfRange(status)) return ErrorReply(414, "UNSUPPORTED", ToStd(status.message()));
  const auto place = status.GetPayload(kPlacePayload);
  return ErrorReply(400, place.has_value() ? CodeOfMalformed(std::string(*place)) : "NAME_INVALID",
                    ToStd(status.message()));
}

Reply BodyError(const Exchange& exchange, const absl::Status& status) {
  Reply reply = StoreError(exchange, status, About::kUpload);
  reply.close = true;
  reply.abandoned = status.code() == absl::StatusCode::kCancelled;
  if (status.code() == absl::StatusCode::kInvalidArgument) {
    const std::string sentence =
        ClientMessage(status, MapStatus(status, About::kUpload), exchange.request_id);
    reply = ErrorReply(400, "BLOB_UPLOAD_INVALID", sentence);
    reply.close = true;
  }
  return reply;
}

Reply BadDigest(const absl::Status& status) {
  return ErrorReply(400, "DIGEST_INVALID", ToStd(status.message()));
}

void AddContentHeaders(Reply* reply, std::string_view media_type, const Digest& digest) {
  reply->AddHeader("Content-Type", media_type);
  AddIdentity(reply, digest);
}

void AddIdentity(Reply* reply, const Digest& digest) {
  const std::string text = digest.ToString();
  reply->AddDigest(text);
  reply->AddHeader("ETag", StrCat("\"", text, "\""));
}

std::optional<Reply> NotModified(const Exchange& exchange, const Digest& digest) {
  const std::string& header = exchange.request.if_none_match;
  if (header.empty()) return std::nullopt;
  const std::string text = digest.ToString();
  const std::string etag = StrCat("\"", text, "\"");
  // Docker's clients send the bare digest.
  if (!MatchesEntityTag(header, etag) && header != text) return std::nullopt;
  Reply reply;
  reply.status = 304;
  reply.AddDigest(text);
  reply.AddHeader("ETag", etag);
  return reply;
}

}  // namespace varve
