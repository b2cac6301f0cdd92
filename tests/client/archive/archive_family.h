// A family of image archives, endless and the same for the same seed: what tools write, in the
// forms and with the names that people have, and what damage, malice and bad tools make of it. Each
// archive has content and repositories of its own, so that many can be loaded into one store.
#ifndef VARVE_TESTS_CLIENT_ARCHIVE_ARCHIVE_FAMILY_H_
#define VARVE_TESTS_CLIENT_ARCHIVE_ARCHIVE_FAMILY_H_

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/client/archive/archive_builder.h"

namespace varve {

struct FamilyArchive {
  std::string story;  // how it was made, for messages
  std::string bytes;
};

class ArchiveFamily {
 public:
  // Of the same seed and number the same archive.
  ArchiveFamily(uint64_t seed, uint64_t number);

  FamilyArchive Make();

 private:
  struct Layer {
    std::string tar;     // as it is unpacked
    std::string stored;  // as the archive holds it
    std::string suffix;  // of its media type
  };
  struct Image {
    std::vector<Layer> layers;
    std::string config;
    std::string manifest;
    std::string platform;  // to follow the other fields of a descriptor
  };
  // An entry of index.json.
  struct Top {
    std::string type;
    std::string bytes;
    std::vector<std::string> names;
  };

  uint64_t Below(uint64_t limit) { return random_() % limit; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }
  template <typename T>
  const T& Pick(const std::vector<T>& list) {
    return list[Below(list.size())];
  }
  void Tell(std::string_view word) { story_.append(" ").append(word); }
  std::string Bytes(size_t size);

  Layer MakeLayer();
  Image MakeImage(const std::string& architecture);
  std::vector<std::string> MakeNames();

  // archive_family.cc: the forms. Each fills entries_.
  void MakeDockerArchive();
  void MakeLayout(bool with_docker_manifest);
  void MakeWhatIsNone();
  void AddImageBlobs(const Image& image);
  Top MakeIndex();
  void AddReferrers(const std::string& subject_type, const std::string& subject, int depth);
  std::string LayoutEntry(const Top& top, const std::string& name);
  std::string DockerEntry(const std::string& config, const std::vector<std::string>& layers,
                          const std::vector<std::string>& names);

  // archive_mutations.cc
  void MutateEntries();
  void MutateOneEntry();
  void Relink(size_t at);
  void SpoilDocument();
  std::string MutateBytes(std::string archive);

  std::mt19937_64 random_;
  const uint64_t number_;
  std::string story_;
  std::vector<Layer> bases_;  // layers that images share
  std::vector<TestEntry> entries_;
  std::vector<Top> tops_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CLIENT_ARCHIVE_ARCHIVE_FAMILY_H_
