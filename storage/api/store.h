// The seam between the doors (gRPC, OCI HTTP) and the engine. Doors know this directory, the digest
// and the status codes, nothing below. Thread-safe; calls block on the disk.
//
// `repository` is a name such as "team/app": the repository of exactly that name if there is one,
// else the one of its canonical name, under which new ones are made (image/canonical_name.h).
// Answers that name a repository say what the store calls it. Where a blob call says so, the empty
// name means the whole store: only doors for trusted local clients may pass it.
//
// Every *exists* answer (StatBlob, FindMissing, MountBlob, a commit) and every answer with the
// digest of a manifest (PutManifest, GetManifest, StatManifest, FindImage, ListReferrers) is a
// promise: the content stays at least EngineOptions::promise_nanos, whatever is pruned or reclaimed
// meanwhile, and what was promised in a repository may be named there. ListImages, ListTags and
// InspectImage promise nothing: people look before they prune. A deletion that somebody asks for by
// name takes a manifest out of its repository all the same. Errors: storage/base/status.h. On an
// error nothing has changed, unless the code is kUnavailable, where the outcome is unknown and the
// same call may be repeated. Durability: when a call that changes something answers OK, the change
// is on stable storage.
#ifndef VARVE_STORAGE_API_STORE_H_
#define VARVE_STORAGE_API_STORE_H_

namespace varve {

class Blobs;      // storage/api/blobs.h
class Manifests;  // storage/api/manifests.h
class Images;     // storage/api/images.h
class Claims;     // storage/api/claims.h
class System;     // storage/api/system.h

// All roles of one store. What needs one of them takes that one.
struct Store {
  Blobs& blobs;
  Manifests& manifests;
  Images& images;
  Claims& claims;
  System& system;
};

}  // namespace varve

#endif  // VARVE_STORAGE_API_STORE_H_
