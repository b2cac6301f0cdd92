// Tells those who watch the store what became of its images, after the commit; each pull once.
// Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_IMAGE_EVENTS_H_
#define VARVE_STORAGE_CATALOG_IMAGE_EVENTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "storage/api/event_log.h"
#include "storage/api/manifests.h"
#include "storage/base/clock.h"
#include "storage/catalog/recent_pulls.h"
#include "storage/catalog/repositories.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"

namespace varve {

class ImageEvents {
 public:
  struct Parts {
    Index& index;
    Clock& clock;
    EventLog& log;
    Repositories& repositories;
  };

  explicit ImageEvents(Parts parts) : parts_(parts), recent_pulls_(parts.clock) {}

  // `tag` may be empty.
  void Tell(Event::Type type, std::string_view repository, std::string_view tag,
            const Digest& manifest);
  // That a manifest left the repository, with its tags: those of `untagged` and those that have
  // edges yet. The repository is told by its name, or as `told_name`.
  void TellDeleted(RepositoryId repository, std::string_view told_name, const Digest& manifest,
                   const std::vector<std::string>& untagged);
  // That a manifest was read, unless that belongs to a pull that was told.
  void TellPull(const NamedRepository& repository, const ManifestReference& reference,
                const Digest& manifest);

 private:
  // Whether an index of the repository that lists the manifest was pulled just now.
  bool IsPartOfPull(RepositoryId repository, const Digest& manifest);

  const Parts parts_;
  RecentPulls recent_pulls_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_IMAGE_EVENTS_H_
