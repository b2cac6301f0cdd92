// What a store must show: the model that crash tests compare a reopened store with. Pure data,
// cheap to copy; one thread.
//
// The effect of a call is applied when the call is acknowledged. A call that a power cut hits may
// have happened or not, but wholly: the store must match the model without it or the model with it.
#ifndef VARVE_TESTS_CRASH_MODEL_H_
#define VARVE_TESTS_CRASH_MODEL_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/manifests.h"
#include "storage/api/store.h"
#include "tests/support/content.h"
#include "tests/support/read_whole.h"

namespace varve {

// kPossible: nothing names the blob, and the last manifest that did was deleted or a reclamation
// has begun since, so it may be gone.
enum class Presence { kAbsent, kPossible, kCertain };

class Model {
 public:
  void PushBlob(const std::string& repository, const Digest& blob);
  void DeleteBlob(const std::string& repository, const Digest& blob);
  void PutManifest(const std::string& repository, const TestManifest& manifest,
                   const std::vector<std::string>& tags);
  void DeleteManifest(const std::string& repository, const Digest& manifest);
  void Tag(const std::string& repository, const std::string& tag, const Digest& manifest);
  void Untag(const std::string& repository, const std::string& tag);
  void Hold(const std::string& name, const Digest& manifest);
  void ReleaseHold(const std::string& name);
  void Lease(const std::string& id, const std::vector<Digest>& contents);
  void DeleteLease(const std::string& id);
  void Reclaim();

  // Compares all that `contents` lists with what the store answers; each difference is a sentence.
  std::vector<std::string> Differences(const Store& store, const Contents& contents) const;

 private:
  using Key = std::pair<std::string, Digest>;  // repository, content

  Presence PresenceOf(const std::string& repository, const Digest& blob) const;
  std::set<Digest> Named() const;  // what a manifest of any repository names
  void CompareBlob(Blobs& blobs, const std::string& repository, const Digest& blob,
                   const std::string& bytes, std::vector<std::string>* differences) const;
  void CompareManifest(const Store& store, const std::string& repository,
                       const TestManifest& manifest, std::vector<std::string>* differences) const;
  void CompareTags(Manifests& manifests, const std::string& repository,
                   std::vector<std::string>* differences) const;
  void CompareClaims(Claims& claims, std::vector<std::string>* differences) const;
  void CompareReferrers(Manifests& manifests, const std::string& repository, const Digest& subject,
                        const Contents& contents, std::vector<std::string>* differences) const;

  std::map<Key, Presence> blobs_;
  std::map<Key, TestManifest> manifests_;
  std::map<std::pair<std::string, std::string>, Digest> tags_;  // repository, tag
  std::map<std::string, Digest> holds_;
  std::map<std::string, std::set<Digest>> leases_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CRASH_MODEL_H_
