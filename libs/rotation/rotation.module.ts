import { Module } from '@nestjs/common';
import { FindKeyUseHandler } from './find-key-use.js';
import { ListKeyEncryptionKeysHandler } from './list-key-encryption-keys.js';

@Module({ providers: [FindKeyUseHandler, ListKeyEncryptionKeysHandler] })
export class RotationModule {}
