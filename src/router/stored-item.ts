import type { AttributeMap } from '../api/attribute-value.ts';
import { fromImage, type ItemImage } from '../api/item.ts';
import type { PartReader } from '../api/item-part.ts';

/**
 * An item in its stored form. It is parsed on the first use of its attributes. It is also the `Found` (page-source.ts)
 * of a page of its table, so that no further object is made for it.
 */
export class StoredItem {
  readonly image: ItemImage;
  readonly entry: undefined;
  #attributes: AttributeMap | undefined;

  constructor(image: ItemImage) {
    this.image = image;
  }

  get stored(): StoredItem {
    return this;
  }

  get bytes(): number {
    return this.image.size;
  }

  get attributes(): AttributeMap {
    this.#attributes ??= fromImage(this.image);
    return this.#attributes;
  }

  /** The attributes that `reader` reads, and perhaps others: an item is not parsed for them. */
  part(reader: PartReader): AttributeMap {
    return this.#attributes ?? reader.read(this.image);
  }
}
