// To be loaded into a server: its replicas have a bug, by which a promise falls.
import { Promises } from '../../dist/dynamo/registers/promises.js';

const promise = Promises.prototype.promise;
Promises.prototype.promise = function (key, ballot) {
  promise.call(this, key, ballot);
  promise.call(this, key, { ...ballot, hlc: ballot.hlc - 2 });
};
